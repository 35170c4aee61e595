"""What surrounds the work: flags and errors, the console, discovery by name, the backend."""
