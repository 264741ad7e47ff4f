"""What a Hugging Face Space, or `make app`, starts."""

if __name__ == "__main__":  # trainer processes import this file again, and must not start a server
    from apps.hub import build, launch

    launch(build())
