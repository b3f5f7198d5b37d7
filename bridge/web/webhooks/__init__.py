"""What platforms send us, under /webhooks. The signature over the raw body is the credential."""

from bridge.web.webhooks.medusa import blueprint as medusa
from bridge.web.webhooks.stripe import blueprint as stripe

blueprints = (medusa, stripe)
