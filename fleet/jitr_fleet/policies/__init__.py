"""Policy templates on a person's computer: read, linted, evaluated against their cases, compared."""
