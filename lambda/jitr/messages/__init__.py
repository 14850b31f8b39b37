"""What arrives and what is answered: events, envelopes, dead letters, custom resources."""
