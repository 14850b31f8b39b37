"""What a CRL lists after activation is switched off too."""
