"""The control plane's process: Django over WSGI, reached only through the gateway by a unix socket."""
