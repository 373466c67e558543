"""The look: base pages, components, template tags and assets. It knows no part above it."""
