// Package image builds what the Dockerfile describes, and runs it, without a container engine.
//
// [Build] reads the Dockerfile, runs the commands of its build stage on the files that .dockerignore
// lets through, and carries out the COPY lines of its final stage in a folder. [Image.Start] starts
// a program in that folder as an engine would: as the image's user, in a mount namespace of its own,
// with the image's environment, by choice on a root file system that nobody can write to.
// Instructions that the package does not know are errors, so that the tests cannot drift from the
// Dockerfile. Starting needs Linux and root.
//
// What only an engine could show is not shown: that the layers are stored and pushed as they should
// be, and that the base image of the build stage has what it is expected to have.
package image
