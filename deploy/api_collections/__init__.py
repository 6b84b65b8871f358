"""Make the collections of ready requests, for Bruno and for Postman, from the API description."""
