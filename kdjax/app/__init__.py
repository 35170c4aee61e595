"""The web app: runs as a folder of static pages, and a server for this machine alone."""
