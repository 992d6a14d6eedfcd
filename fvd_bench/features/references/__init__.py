"""References: statistics files of known sets, found by name in zoos, and fetched and verified by content digest."""
