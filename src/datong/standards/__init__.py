"""What the national standards fix and everybody shares: identifiers, division codes, code lists."""
