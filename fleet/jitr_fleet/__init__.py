"""What app.py, infra and the command line share on a person's computer: fleet file, policies, stack outputs."""
