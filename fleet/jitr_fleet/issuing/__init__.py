"""What a CA issues: its own certificate, device certificates, CRLs."""
