"""Work on thousands of certificates, in function runs that follow one another."""
