"""What lies behind a score, video by video: influences, neighbours, clips, and a map of the features."""
