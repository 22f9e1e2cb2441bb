"""A plug-in for imgserve: one option, and one provider of background removal."""
