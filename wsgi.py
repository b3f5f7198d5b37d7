"""The WSGI application."""

from bridge.config import Config
from bridge.web import create_app

app = create_app(Config.from_env())
