"""Files land with their digest, are checked in one pass and become a version; refused rows stay in quarantine."""
