"""AWS IoT policies: templates, documents, what they mean, and their roll-out."""
