"""Work that outlives a request, with progress that pages and the command line show."""
