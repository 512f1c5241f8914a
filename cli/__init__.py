"""The `pagestream` command."""
