"""Who answers model calls: an offline model, or any OpenAI-compatible endpoint; and how a role finds its model."""
