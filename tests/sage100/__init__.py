"""The Sage 100 side: client, passes, sweeps, rounds."""
