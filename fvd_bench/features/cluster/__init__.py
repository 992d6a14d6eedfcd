"""Features that the machines of a cluster compute, and the files through which they come."""
