"""Files arrive, land with their digest, are checked in one pass, and become a version; what was refused stays in quarantine."""
