"""The owner's page: an HTTPS server on the home network and what the browser runs."""
