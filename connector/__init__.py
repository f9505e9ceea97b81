"""The service: everything that does I/O, composed in one place."""
