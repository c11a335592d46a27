"""Small tasks that show in minutes whether a method learns."""
