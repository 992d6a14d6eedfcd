"""What a side of a comparison is, in every form in which people have videos."""
