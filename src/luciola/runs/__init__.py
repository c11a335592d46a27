"""A run's folder and what goes into it: figures, progress, trackers, the report."""
