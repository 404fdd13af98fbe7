"""What is late, by how much, since when. Alerts and incidents build on it."""
