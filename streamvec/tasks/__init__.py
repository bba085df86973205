"""What people do with models besides training them."""
