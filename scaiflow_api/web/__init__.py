"""What FastAPI needs from us, once: authentication, errors, middleware, base schemas."""
