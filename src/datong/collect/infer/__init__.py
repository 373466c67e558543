"""An unknown file or database read into draft contracts, every suggestion with its evidence."""
