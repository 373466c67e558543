"""The portal: workspace, sign-in, operations room."""
