"""What every page and API route of the control plane shares."""
