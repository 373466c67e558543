"""The catalogue: contracts, the resources they describe, directory codes and facets."""
