"""The bench suite: peers and Windrose under the same load, run by run in turn."""
