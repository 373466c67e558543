"""Connected sources: configured once, fetched by hand, by schedule or by event; every fetch becomes an ordinary run."""
