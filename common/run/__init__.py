"""One training as a process: flags, record, folder, what a person sees."""
