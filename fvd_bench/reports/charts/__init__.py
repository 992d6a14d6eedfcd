"""Charts: all that is drawn, by one palette and one set-up of Matplotlib."""
