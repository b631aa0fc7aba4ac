// Verifies a Bailee log with nothing but Go's own transparency-log packages. It reads a directory:
//
//	vkey                     the log's Ed25519 verifier key
//	checkpoint               the signed note
//	tile/<L>/<N>[.p/<W>]     hash tiles (C2SP tlog-tiles)
//	proofs.json              inclusion and consistency proofs, as Bailee made them
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proofs struct {
	Inclusion []struct {
		Index int64
		Entry []byte
		Path  [][]byte
	}
	Consistency []struct {
		Size int64
		Root []byte
		Path [][]byte
	}
}

type tiles struct{ directory string }

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		// Go writes the tile's height first; tlog-tiles, whose height is always 8, leaves it out.
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		content, err := os.ReadFile(filepath.Join(t.directory, path))
		if err != nil {
			return nil, err
		}
		found[i] = content
	}
	return found, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	log.SetFlags(0)
	directory := os.Args[1]

	// 1. The checkpoint is signed; the ML-DSA-44 line is of a key that this verifier does not know, and ignored.
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read(directory, "vkey"))))
	check("vkey", err)
	opened, err := note.Open(read(directory, "checkpoint"), note.VerifierList(verifier))
	check("note", err)
	var origin, encoded string
	var size int64
	_, err = fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &encoded)
	check("checkpoint", err)
	root, err := tlog.ParseHash(encoded)
	check("root", err)

	// 2. The tiles give the root, and the leaf hashes in them rebuild it. The second is not implied by the first:
	// TileHashReader of x/mod 0.7 leaves some full tiles unauthenticated when one tile serves several subtrees.
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{directory})
	indexes := make([]int64, size)
	for n := range indexes {
		indexes[n] = tlog.StoredHashIndex(0, int64(n))
	}
	leaves, err := hashes.ReadHashes(indexes)
	check("tiles", err)
	computed, err := tlog.TreeHash(size, rebuilt(leaves))
	check("tiles", err)
	if computed != root {
		log.Fatalf("tiles: the leaves give %v instead of %v", computed, root)
	}

	// 3. Bailee's proofs verify, and are those that Go makes from the same tiles.
	var made proofs
	check("proofs", json.Unmarshal(read(directory, "proofs.json"), &made))
	for _, proof := range made.Inclusion {
		leaf := tlog.RecordHash(proof.Entry)
		if leaf != leaves[proof.Index] {
			log.Fatalf("leaf %d: the tile holds another hash", proof.Index)
		}
		check("inclusion", tlog.CheckRecord(path(proof.Path), size, root, proof.Index, leaf))
		own, err := tlog.ProveRecord(size, proof.Index, hashes)
		check("own inclusion", err)
		same(own, path(proof.Path))
	}
	for _, proof := range made.Consistency {
		check("consistency", tlog.CheckTree(path(proof.Path), size, root, proof.Size, hash(proof.Root)))
		own, err := tlog.ProveTree(size, proof.Size, hashes)
		check("own consistency", err)
		same(own, path(proof.Path))
	}
	fmt.Printf("%s %d %d %d\n", origin, size, len(made.Inclusion), len(made.Consistency))
}

// rebuilt stores a tree in memory, from its leaf hashes alone.
func rebuilt(leaves []tlog.Hash) tlog.HashReader {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	for n, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(n), leaf, reader)
		check("tree", err)
		stored = append(stored, more...)
	}
	return reader
}

func read(directory, name string) []byte {
	content, err := os.ReadFile(filepath.Join(directory, name))
	check(name, err)
	return content
}

func path(steps [][]byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(steps))
	for i, step := range steps {
		hashes[i] = hash(step)
	}
	return hashes
}

func hash(raw []byte) (h tlog.Hash) {
	if copy(h[:], raw) != tlog.HashSize || len(raw) != tlog.HashSize {
		log.Fatal("a hash has 32 bytes")
	}
	return h
}

func same(own, made []tlog.Hash) {
	if fmt.Sprint(own) != fmt.Sprint(made) {
		log.Fatalf("proofs differ: %v, %v", own, made)
	}
}

func check(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}
