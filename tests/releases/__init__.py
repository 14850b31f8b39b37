"""What each release deployed: its template and the configuration in its bundle."""
