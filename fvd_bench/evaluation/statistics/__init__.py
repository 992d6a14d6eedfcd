"""Statistics files: the features of one side, made once, in shards and merged, and used as a side."""
