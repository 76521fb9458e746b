"""What ScaiKey tells as it happens: people and groups change here within seconds, not with the next sync."""
