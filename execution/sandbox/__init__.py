"""Where an author's code runs: a process that can reach nothing but its own files and a pipe."""
