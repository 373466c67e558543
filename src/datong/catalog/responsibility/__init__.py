"""Who answers for what: one authoritative resource per element (一数一源), the source of each field, stages of life."""
