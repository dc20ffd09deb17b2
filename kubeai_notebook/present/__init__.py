"""Values as text, HTML and data: nothing here asks anybody, and nothing here knows a Session or a handle."""
