"""What commands about devices share: which certificates are meant, and their deployment as its function sees it."""
