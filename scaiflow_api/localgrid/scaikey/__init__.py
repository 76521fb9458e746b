"""The identity provider: OpenID Connect for the demo people, service tokens, signing keys."""
