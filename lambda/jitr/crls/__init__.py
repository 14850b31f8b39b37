"""Where CRLs come from, which version is accepted, and the copies that are kept."""
