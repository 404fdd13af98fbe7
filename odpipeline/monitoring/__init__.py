"""What is wrong, since when, who is told of it and by which way; silence that is proved to mean health."""
