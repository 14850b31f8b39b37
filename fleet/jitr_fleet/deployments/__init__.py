"""One deployment as the fleet file describes it and as its stack reports it."""
